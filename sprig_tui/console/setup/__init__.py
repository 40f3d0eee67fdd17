"""Set-up screen: the checklist of one environment, from an empty folder to the first answer counted by Segment."""
