"""What an app's configuration is made of, a file for each plane's part."""
