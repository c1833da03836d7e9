from optimizer.report.review.quarter import Review as Review, ReviewWeek as ReviewWeek, review as review
