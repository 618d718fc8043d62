"""Prices and instruments: `bars.Bars`, `store.BarStore`, `symbols.resolve`, `demo.load_demo`."""
