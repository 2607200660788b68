"""An organization's money: the month as it will be billed, invoices down to the last row, credits and coupons."""
