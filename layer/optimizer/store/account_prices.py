"""The prices that the account pays."""

from optimizer.policy import Policy
from optimizer.prices import LambdaPrices, shipped_prices


def prices_of_account(policy: Policy) -> LambdaPrices:
    """Return the prices of the account, with the discount of the policy."""
    return shipped_prices().discounted(policy.prices.lambda_discount)
