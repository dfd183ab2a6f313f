BEGIN;
UPDATE j SET j='{"n":[9]}' WHERE id=1;
UPDATE j SET j='{"n":[1,2]}' WHERE id=2;
UPDATE j SET j='{"n":[3]}' WHERE id=1;
COMMIT;
