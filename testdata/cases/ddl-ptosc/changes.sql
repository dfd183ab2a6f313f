CREATE TABLE `${schema}`.`_t_new` (
  `id` int NOT NULL AUTO_INCREMENT,
  `v` varchar(20) DEFAULT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=5 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci;
ALTER TABLE `${schema}`.`_t_new` ADD w INT DEFAULT 3;
CREATE TRIGGER `pt_osc_del` AFTER DELETE ON `${schema}`.`t` FOR EACH ROW BEGIN DECLARE CONTINUE HANDLER FOR 1146 begin end; DELETE IGNORE FROM `${schema}`.`_t_new` WHERE `${schema}`.`_t_new`.`id` <=> OLD.`id`; END;
CREATE TRIGGER `pt_osc_upd` AFTER UPDATE ON `${schema}`.`t` FOR EACH ROW BEGIN DECLARE CONTINUE HANDLER FOR 1146 begin end; DELETE IGNORE FROM `${schema}`.`_t_new` WHERE !(OLD.`id` <=> NEW.`id`) AND `${schema}`.`_t_new`.`id` <=> OLD.`id`; REPLACE INTO `${schema}`.`_t_new` (`id`, `v`) VALUES (NEW.`id`, NEW.`v`); END;
CREATE TRIGGER `pt_osc_ins` AFTER INSERT ON `${schema}`.`t` FOR EACH ROW REPLACE INTO `${schema}`.`_t_new` (`id`, `v`) VALUES (NEW.`id`, NEW.`v`);
-- session: app
UPDATE t SET v='changed' WHERE id=1;
UPDATE t SET id=40 WHERE id=4;
INSERT INTO t (v) VALUES ('new');
DELETE FROM t WHERE id=2;
-- session: 1
INSERT LOW_PRIORITY IGNORE INTO `${schema}`.`_t_new` (`id`, `v`) SELECT `id`, `v` FROM `${schema}`.`t` FORCE INDEX(`PRIMARY`) WHERE ((`id` >= '1')) AND ((`id` <= '100')) LOCK IN SHARE MODE /*pt-online-schema-change 1 copy nibble*/;
ANALYZE TABLE `${schema}`.`_t_new` /* pt-online-schema-change */;
-- restart daemon
RENAME TABLE `${schema}`.`t` TO `${schema}`.`_t_old`, `${schema}`.`_t_new` TO `${schema}`.`t`;
-- session: app
INSERT INTO t (v,w) VALUES ('after',4);
-- session: 1
DROP TABLE IF EXISTS `${schema}`.`_t_old`;
DROP TRIGGER IF EXISTS `${schema}`.`pt_osc_del`;
DROP TRIGGER IF EXISTS `${schema}`.`pt_osc_upd`;
DROP TRIGGER IF EXISTS `${schema}`.`pt_osc_ins`;
UPDATE t SET v='end' WHERE id=1;
