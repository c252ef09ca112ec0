"""The pages of staff in a real browser, and what stands behind them."""
