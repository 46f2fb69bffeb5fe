"""The three stages of training and the loop that they share."""
