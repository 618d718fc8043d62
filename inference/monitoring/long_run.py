"""How much a mean of a series may err where neighbours share their luck."""

from inference.requests import Floats


def newey_west(values: Floats, lags: int) -> float:
    """Return the long-run variance of a series: Bartlett weights, never negative.

    Newey and West (1987), "A Simple, Positive Semi-Definite, Heteroskedasticity and Autocorrelation
    Consistent Covariance Matrix".
    """
    count = len(values)
    centred = values - values.mean()
    total = float(centred @ centred) / count
    for lag in range(1, min(lags, count - 1) + 1):
        weight = 1.0 - lag / (lags + 1.0)
        total += 2.0 * weight * float(centred[lag:] @ centred[:-lag]) / count
    return max(total, 0.0)
