SET binlog_row_value_options='PARTIAL_JSON', binlog_row_image=MINIMAL;
-- refused-unequal
UPDATE p SET a=JSON_SET(a,'$.x',2,'$.y[0]',9), n=1;
-- halted
UPDATE p SET a=JSON_ARRAY_INSERT(a,'$.y[0]',8);
-- target: UPDATE p SET a=JSON_SET(a,'$.y',JSON_ARRAY(1,2,3))
-- resume
UPDATE p SET a=JSON_SET(a,'$.x',3);
