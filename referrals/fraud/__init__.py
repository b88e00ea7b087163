"""What makes a referral look like fraud, how much it weighs, and what staff decide."""
