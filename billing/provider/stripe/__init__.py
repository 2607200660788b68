"""The provider that takes money through Stripe: the only home of its library."""
