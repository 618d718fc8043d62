"""The card `chart.candles` drawn without a browser: `svg.draw`, `png.render`, `terminal.show`."""
