"""Who is there: devices, the user's own choice, and who hears of it."""
