-- refused
CREATE TABLE y (id INT PRIMARY KEY, y YEAR(2));
-- halted
-- config: ddl: {rules: [{match: {kind: "CREATE TABLE", table: "${schema}.y"}, do: rewrite, with: "CREATE TABLE y (id INT PRIMARY KEY, y YEAR)"}]}
-- resume
INSERT INTO y VALUES (1, 1999), (2, 2024);
