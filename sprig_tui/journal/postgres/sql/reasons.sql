-- Reasons of lanes as values. `cause` stays: older programs read and write only that. `reason` and `detail` are valid
-- while `reason_epoch` is the lane's epoch.
ALTER TABLE lanes ADD COLUMN reason text NOT NULL DEFAULT '';
ALTER TABLE lanes ADD COLUMN detail text NOT NULL DEFAULT '';
ALTER TABLE lanes ADD COLUMN reason_epoch bigint NOT NULL DEFAULT 0;
