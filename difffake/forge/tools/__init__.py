"""Tools that several methods of forging share."""
