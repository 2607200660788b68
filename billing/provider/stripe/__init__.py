"""The provider that takes money through Stripe: the only home of its library.

Nothing is imported here: `inbox` and `routes` need none of Stripe's library, which takes a second to import.
"""
