UPDATE p SET id = 10 WHERE id = 1;
