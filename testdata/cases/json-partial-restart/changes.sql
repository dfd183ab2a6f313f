SET binlog_row_value_options='PARTIAL_JSON';
UPDATE p SET a=JSON_SET(a,'$.y[99]','first');
-- restart daemon
UPDATE p SET a=JSON_SET(a,'$.y[99]','again');
UPDATE p SET a=JSON_REMOVE(a,'$.y[1]') WHERE id=1;
-- restart daemon
SET binlog_row_image=MINIMAL;
UPDATE p SET a=JSON_SET(a,'$.y[99]','minimal');
-- restart daemon
UPDATE p SET a=JSON_SET(JSON_REMOVE(a,'$.y[0]'),'$.y[99]',JSON_ARRAY());
UPDATE p SET a=JSON_SET(a,'$.y[last][0]',1.0);
FLUSH BINARY LOGS;
UPDATE p SET a=JSON_SET(a,'$.y[last][1]',1);
-- restart daemon
UPDATE p SET a=JSON_REMOVE(a,'$.y[last][0]');
UPDATE p SET a=JSON_SET(JSON_REMOVE(a,'$.y[0]'),'$.y[99]','last');
