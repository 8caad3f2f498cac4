"""What Okta says goes into the stage: complete lists, single objects, and the second look at what is missing."""
