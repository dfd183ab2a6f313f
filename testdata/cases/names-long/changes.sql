INSERT INTO `日日日日日日日日日日日日日日日日日日日日日日日日日日日日日日` VALUES (1),(2);
DELETE FROM `日日日日日日日日日日日日日日日日日日日日日日日日日日日日日日` WHERE 1 LIMIT 1;
