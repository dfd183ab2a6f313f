-- refused
ALTER TABLE p EXCHANGE PARTITION p0 WITH TABLE x;
-- halted
-- target: GRANT PROCESS ON *.* TO applier
-- resume
INSERT INTO x VALUES (9);
DELETE FROM p WHERE id=2;
-- target: REVOKE PROCESS ON *.* FROM applier
