"""The pages of staff: one frame for all, in Korean and English. Their scripts get all data from the API."""
