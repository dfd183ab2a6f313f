-- refused
SET binlog_row_value_options='PARTIAL_JSON';
UPDATE p SET a=JSON_SET(a,'$.x',2,'$.y[0]',9);
-- halted
SET binlog_row_value_options='';
-- target: UPDATE p SET a=JSON_SET(a,'$.x',2,'$.y[0]',9)
-- skip
-- resume
UPDATE p SET a=JSON_SET(a,'$.x',3);
