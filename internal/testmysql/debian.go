package testmysql

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// archive is a server as packages of a Debian release, unpacked into a folder of the cache.
type archive struct {
	folder   string   // Of the cache.
	suite    string   // The Debian release that has the server.
	packages []string // They bring the server with all that it links, since apt is told that nothing is installed.
	alone    []string // Packages that are taken without what they depend on.
}

// mysqlArchive is MySQL 9.7 (LTS).
var mysqlArchive = archive{folder: "mysql", suite: "sid", packages: []string{"mysql-server-core", "mysql-client-core", "libprotobuf32t64"}}

// installed describes the program of an archive that was unpacked into the cache, or says why there is none.
func (a archive) installed(ctx context.Context, cache, program string, read func(*Install, context.Context) error) (*Install, error) {
	root := filepath.Join(cache, a.folder)
	loaders, err := filepath.Glob(filepath.Join(root, "usr/lib/*-linux-gnu/ld-linux*.so.*"))
	if err != nil {
		return nil, err
	}
	if len(loaders) == 0 { // Before the merge of /lib into /usr/lib, Debian 13.
		loaders, err = filepath.Glob(filepath.Join(root, "lib/*-linux-gnu/ld-linux*.so.*"))
	}
	if err != nil || len(loaders) == 0 {
		return nil, fmt.Errorf("no dynamic loader under %s", root)
	}
	triplet := filepath.Base(filepath.Dir(loaders[0]))
	usr, lib := filepath.Join(root, "usr/lib", triplet), filepath.Join(root, "lib", triplet)
	in := &Install{
		Mysqld:    filepath.Join(root, "usr/sbin", program),
		BaseDir:   filepath.Join(root, "usr"),
		ShareDir:  filepath.Join(root, "usr/share/mysql"),
		PluginDir: filepath.Join(root, "usr/lib/mysql/plugin"),
		loader:    loaders[0],
		libPath:   strings.Join([]string{usr, lib, filepath.Join(usr, "mysql")}, ":"),
	}
	return in, read(in, ctx)
}

// download takes a server's packages from the machine's own Debian mirror into the cache. Nothing of the
// system is touched: lists, archives and state of apt are private, and packages are unpacked, never installed.
// It works without root.
func download(ctx context.Context, cache string, a archive) error {
	for _, tool := range []string{"apt-get", "dpkg"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s is not here", tool)
		}
	}
	apt := filepath.Join(cache, "apt")
	if err := os.RemoveAll(apt); err != nil { // What a download of another archive left when it was interrupted.
		return err
	}
	for _, dir := range []string{"parts", "state/lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(apt, dir), 0o755); err != nil {
			return err
		}
	}
	source, err := debianSource(a.suite)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(apt, "parts", source.file), []byte(source.text), 0o644); err != nil {
		return err
	}
	// An empty status file says that nothing is installed, so that every library comes along.
	if err := os.WriteFile(filepath.Join(apt, "state/status"), nil, 0o644); err != nil {
		return err
	}
	if err := aptGet(ctx, apt, "update"); err != nil {
		return err
	}
	get := append([]string{"--yes", "--no-install-recommends", "--download-only", "install"}, a.packages...)
	if err := aptGet(ctx, apt, get...); err != nil {
		return err
	}
	if len(a.alone) > 0 {
		if err := aptGet(ctx, apt, append([]string{"download"}, a.alone...)...); err != nil {
			return err
		}
	}
	if err := unpack(ctx, filepath.Join(apt, "cache/archives"), filepath.Join(cache, a.folder)); err != nil {
		return err
	}
	return os.RemoveAll(apt) // 100 MB that nobody needs again.
}

// aptGet runs apt-get on private folders, in that of the archives, where its "download" puts packages.
func aptGet(ctx context.Context, dir string, args ...string) error {
	options := []string{
		"-q",
		"-o", "Dir::Etc::sourcelist=/dev/null",
		"-o", "Dir::Etc::sourceparts=" + filepath.Join(dir, "parts"),
		"-o", "Dir::State=" + filepath.Join(dir, "state"),
		"-o", "Dir::State::Lists=" + filepath.Join(dir, "state/lists"),
		"-o", "Dir::State::status=" + filepath.Join(dir, "state/status"),
		"-o", "Dir::Cache=" + filepath.Join(dir, "cache"),
		"-o", "APT::Sandbox::User=root", // The user _apt may not enter a home folder; without root it has no effect.
		"-o", "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
		"-o", "Acquire::Languages=none",
		"-o", "Acquire::Retries=3",
	}
	cmd := exec.CommandContext(ctx, "apt-get", append(options, args...)...)
	cmd.Dir = filepath.Join(dir, "cache/archives")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("apt-get %s: %w: %s", args[0], err, lastLines(out, 5))
	}
	return nil
}

// unpack extracts all packages into one folder that appears whole or not at all.
func unpack(ctx context.Context, archives, root string) error {
	debs, err := filepath.Glob(filepath.Join(archives, "*.deb"))
	if err != nil || len(debs) == 0 {
		return errors.New("apt-get downloaded no packages")
	}
	fresh := root + ".new"
	for _, dir := range []string{fresh, root} { // A root that is here was found unusable.
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	for _, deb := range debs {
		if out, err := exec.CommandContext(ctx, "dpkg", "-x", deb, fresh).CombinedOutput(); err != nil {
			return fmt.Errorf("unpack %s: %w: %s", filepath.Base(deb), err, lastLines(out, 3))
		}
	}
	return os.Rename(fresh, root)
}

// aptSource is a source file for apt; its name's ending tells apt the syntax.
type aptSource struct{ file, text string }

// debianSource derives a source for the suite from the machine's own Debian mirror, so that no host is named
// here and a local mirror is honoured. Both the deb822 and the one-line syntax are understood.
func debianSource(suite string) (aptSource, error) {
	if files, err := filepath.Glob("/etc/apt/sources.list.d/*.sources"); err == nil {
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				continue
			}
			if s, ok := fromDeb822(string(text), suite); ok {
				return aptSource{"binseal.sources", s}, nil
			}
		}
	}
	lists, err := filepath.Glob("/etc/apt/sources.list.d/*.list")
	if err != nil {
		return aptSource{}, err
	}
	for _, file := range append([]string{"/etc/apt/sources.list"}, lists...) {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if s, ok := fromOneLine(string(text), suite); ok {
			return aptSource{"binseal.list", s}, nil
		}
	}
	return aptSource{}, errors.New("no Debian mirror in the machine's apt sources")
}

// isArchive tells the main Debian archive from its security archive and from other vendors' repositories.
func isArchive(uri string) bool {
	return strings.HasSuffix(strings.TrimRight(uri, "/"), "/debian")
}

// fromDeb822 keeps the stanza of the main archive, with its keyring, for another suite.
func fromDeb822(text, suite string) (string, bool) {
	for stanza := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n") {
		var b strings.Builder
		archive := false
		for _, field := range deb822Fields(stanza) {
			name, value, _ := strings.Cut(field, ":")
			switch strings.ToLower(name) {
			case "types":
				field = "Types: deb"
			case "uris":
				uris := strings.Fields(value)
				archive = len(uris) > 0 && isArchive(uris[0])
				field = "URIs:" + value
			case "suites":
				field = "Suites: " + suite
			case "components":
				field = "Components: main"
			}
			b.WriteString(field + "\n")
		}
		if archive {
			return b.String(), true
		}
	}
	return "", false
}

// deb822Fields splits a stanza into its fields; a field keeps its continuation lines. Comments are dropped.
func deb822Fields(stanza string) []string {
	var fields []string
	for line := range strings.SplitSeq(strings.TrimSpace(stanza), "\n") {
		switch {
		case line == "" || line[0] == '#':
		case (line[0] == ' ' || line[0] == '\t') && len(fields) > 0:
			fields[len(fields)-1] += "\n" + line
		default:
			fields = append(fields, line)
		}
	}
	return fields
}

// fromOneLine rewrites the first `deb [options] uri suite component…` line of the main archive.
func fromOneLine(text, suite string) (string, bool) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		rest, ok := strings.CutPrefix(line, "deb ")
		if !ok {
			continue
		}
		options := ""
		if rest = strings.TrimSpace(rest); strings.HasPrefix(rest, "[") {
			end := strings.IndexByte(rest, ']')
			if end < 0 {
				continue
			}
			options, rest = rest[:end+1]+" ", rest[end+1:]
		}
		fields := strings.Fields(rest)
		if len(fields) < 3 || !isArchive(fields[0]) {
			continue
		}
		return fmt.Sprintf("deb %s%s %s main\n", options, fields[0], suite), true
	}
	return "", false
}

func lastLines(out []byte, n int) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
