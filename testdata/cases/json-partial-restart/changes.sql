SET binlog_row_value_options='PARTIAL_JSON';
UPDATE p SET a=JSON_ARRAY_INSERT(a,'$.y[0]',0);
-- restart daemon
UPDATE p SET a=JSON_ARRAY_INSERT(a,'$.y[0]','again');
UPDATE p SET a=JSON_REMOVE(a,'$.y[1]') WHERE id=1;
-- restart daemon
SET binlog_row_image=MINIMAL;
UPDATE p SET a=JSON_ARRAY_INSERT(a,'$.y[0]','minimal');
-- restart daemon
UPDATE p SET a=JSON_ARRAY_INSERT(JSON_REMOVE(a,'$.y[last]'),'$.y[0]',JSON_ARRAY());
FLUSH BINARY LOGS;
UPDATE p SET a=JSON_ARRAY_APPEND(a,'$.y[0]',1.0);
-- restart daemon
UPDATE p SET a=JSON_ARRAY_APPEND(a,'$.y[0]',1);
