-- Reasons of lanes as values. `cause` stays: programs of the version before read and write nothing else. `reason` and
-- `detail` hold as long as `reason_epoch` is the lane's epoch.
ALTER TABLE lanes ADD COLUMN reason text NOT NULL DEFAULT '';
ALTER TABLE lanes ADD COLUMN detail text NOT NULL DEFAULT '';
ALTER TABLE lanes ADD COLUMN reason_epoch bigint NOT NULL DEFAULT 0;
