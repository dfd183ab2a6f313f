SET binlog_row_image=MINIMAL;
-- refused
INSERT INTO t VALUES ();
-- halted
SET binlog_row_image=FULL;
INSERT INTO t VALUES (3);
-- target: INSERT INTO t VALUES ()
-- skip
-- resume
INSERT INTO t VALUES (4);
