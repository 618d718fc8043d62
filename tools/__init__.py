"""What an agent may do. Front doors: `registry.ToolBox` and `desk.market_tools`."""
