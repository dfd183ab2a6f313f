package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// release is set by a release build: -ldflags "-X main.release=…".
var release string

type versionCommand struct{}

// Run prints the version, the commit that it was built from and the Go version.
func (versionCommand) Run(a *app) error {
	if a.json {
		writeJSON(a.stdout, map[string]any{"ok": true, "version": version(), "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH})
		return nil
	}
	fmt.Fprintf(a.stdout, "binseal %s (%s, %s/%s)\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}

// version is the release, else the commit of the build, else "devel".
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	revision, dirty := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	if revision == "" {
		return "devel"
	}
	return "devel-" + revision + dirty
}
