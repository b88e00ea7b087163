"""What may be sent to whom, when and by which way: facts of members loaded in bulk, and pure verdicts about them."""
