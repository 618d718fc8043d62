/**
 * The per-bar numbers a condition may name, as `tools/analytics/condition_parts.py` has them; a test
 * holds the two lists together.
 */

export const FIELDS: Record<string, string> = {
  close: "close",
  open: "open",
  high: "high",
  low: "low",
  volume: "volume",
  changePercent: "change on the day (%)",
  rsi: "RSI",
  macd: "MACD",
  macdSignal: "MACD signal line",
  macdHistogram: "MACD histogram",
  sma20: "SMA 20",
  sma50: "SMA 50",
  sma200: "SMA 200",
  ema12: "EMA 12",
  ema26: "EMA 26",
  bollingerUpper: "upper Bollinger band",
  bollingerMiddle: "middle Bollinger band",
  bollingerLower: "lower Bollinger band",
  bandwidth: "Bollinger bandwidth",
  percentB: "Bollinger %B",
  atr: "ATR",
  atrPercent: "ATR (% of the close)",
  adx: "ADX",
  plusDi: "+DI",
  minusDi: "-DI",
  obv: "OBV",
  stochasticK: "stochastic %K",
  stochasticD: "stochastic %D",
  volatility20: "20-bar volatility (%)",
  volatility60: "60-bar volatility (%)",
  volumeRatio: "volume over its 50-bar mean",
  trendSlope: "trend slope",
  trendR2: "trend R²",
  strength: "composite strength",
  high52w: "52-week high",
  low52w: "52-week low",
  fromHigh52wPercent: "distance from the 52-week high (%)",
};

export const OPERATORS: Record<string, string> = {
  ">": "above",
  ">=": "at or above",
  "<": "below",
  "<=": "at or below",
  crosses_above: "crosses above",
  crosses_below: "crosses below",
};

export const SIGNALS = ["entry", "exit", "trend_change", "volatility", "volume_spike", "breakout", "reversal"];

export const DIRECTIONS = ["bullish", "bearish", "neutral"];
