drop /* gh-ost */ table if exists `${schema}`.`_t_gho`;
drop /* gh-ost */ table if exists `${schema}`.`_t_ghc`;
create /* gh-ost */ table `${schema}`.`_t_ghc` ( id bigint unsigned auto_increment, last_update timestamp not null DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, hint varchar(64) charset ascii not null, value varchar(4096) charset ascii not null, primary key(id), unique key hint_uidx(hint) ) auto_increment=256;
create /* gh-ost */ table `${schema}`.`_t_gho` like `${schema}`.`t`;
alter /* gh-ost */ table `${schema}`.`_t_gho` ADD w INT NOT NULL DEFAULT 5, MODIFY u BIGINT;
insert /* gh-ost */ into `${schema}`.`_t_ghc` (id, hint, value) values (NULLIF(1, 0), 'heartbeat', 'x') on duplicate key update last_update=NOW(), value=VALUES(value);
-- session: app
UPDATE t SET v='changed' WHERE id=1;
DELETE FROM t WHERE id=2;
-- session: 1
insert /* gh-ost `${schema}`.`t` */ ignore into `${schema}`.`_t_gho` (`id`, `v`, `u`) (select `id`, `v`, `u` from `${schema}`.`t` force index (`PRIMARY`) where (((`id` >= 1)) and ((`id` <= 2))) lock in share mode);
replace /* gh-ost `${schema}`.`_t_gho` */ into `${schema}`.`_t_gho` (`id`, `v`, `u`) values (1, 'changed', 1);
-- session: app
INSERT INTO t (v,u) VALUES ('five',5);
UPDATE t SET u=2 WHERE id=4;
-- session: 1
insert /* gh-ost */ into `${schema}`.`_t_ghc` (id, hint, value) values (NULLIF(1, 0), 'heartbeat', 'y') on duplicate key update last_update=NOW(), value=VALUES(value);
insert /* gh-ost `${schema}`.`t` */ ignore into `${schema}`.`_t_gho` (`id`, `v`, `u`) (select `id`, `v`, `u` from `${schema}`.`t` force index (`PRIMARY`) where (((`id` > 2)) and ((`id` <= 5))) lock in share mode);
-- restart daemon
create /* gh-ost */ table `${schema}`.`_t_del` ( id int auto_increment primary key ) engine=InnoDB comment='ghost-cut-over-sentry';
lock /* gh-ost */ tables `${schema}`.`t` write, `${schema}`.`_t_del` write;
drop /* gh-ost */ table if exists `${schema}`.`_t_del`;
unlock tables;
rename /* gh-ost */ table `${schema}`.`t` to `${schema}`.`_t_del`, `${schema}`.`_t_gho` to `${schema}`.`t`;
-- session: app
INSERT INTO t (v,u,w) VALUES ('six',6,6);
UPDATE t SET w=w+1;
-- session: 1
drop /* gh-ost */ table if exists `${schema}`.`_t_ghc`;
drop /* gh-ost */ table if exists `${schema}`.`_t_del`;
