"""HTTP as pages speak it: who visits, what may be sent, how pages, forms and errors are answered."""
