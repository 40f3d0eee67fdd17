"""The Payload pane: what a record becomes, field by field, before and after it is sent."""
