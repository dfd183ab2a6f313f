CREATE TABLE `a``b.c d` (`id` INT PRIMARY KEY, `se``lect` INT, `from` INT, `ü.日` VARCHAR(9), `%s \\` INT, UNIQUE KEY `k``.e` (`se``lect`));
CREATE TABLE `select` (`order` INT PRIMARY KEY, `💧x` INT);
