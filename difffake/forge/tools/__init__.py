"""What several methods of forging share."""
