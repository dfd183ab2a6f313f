INSERT INTO `a``b.c d` VALUES (1,2,3,'é',5),(2,3,4,'x',6);
UPDATE `a``b.c d` SET `ü.日`='日', `%s \\`=7 WHERE id=1;
UPDATE `a``b.c d` SET `se``lect`=NULL WHERE id=2;
DELETE FROM `a``b.c d` WHERE id=2;
ALTER TABLE `a``b.c d` ADD COLUMN `new ``col` INT DEFAULT 3;
INSERT INTO `a``b.c d` VALUES (5,5,5,'5',5,5);
