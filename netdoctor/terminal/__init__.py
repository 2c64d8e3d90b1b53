"""What commands share: options, progress, files that the user names, and questions."""
