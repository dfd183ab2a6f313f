CREATE TABLE `a?b%s$$` (`select` INT PRIMARY KEY, `v?;--` VARCHAR(20));
CREATE TABLE `/*!50000 x */` (`@` INT, `.a` INT, `binseal` INT);
ALTER TABLE `/*!50000 x */` RENAME COLUMN `.a` TO `.`, RENAME COLUMN `binseal` TO ``````;
CREATE TABLE `\n\\` (`\\` INT PRIMARY KEY);
CREATE TABLE `日本.表` (`キー` INT PRIMARY KEY, `値` INT);
