package mysqlconn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/binseal/binseal/change"
)

// Provider gives the password for one dial. It is asked at every dial, so that a rotated password is used at the next
// one; and once more, with what the server has refused, after a refused login: amid a rotation it may know another. A
// password that it gives again is not tried again. Its errors never carry the value.
type Provider func(ctx context.Context, refused ...Secret) (Secret, error)

// Password says where a password is kept; exactly one field is set. The config never holds the value itself.
type Password struct {
	File      string `yaml:"file"`       // A file, read at every dial; one trailing line break is not part of it.
	Env       string `yaml:"env"`        // The name of an environment variable.
	Systemd   string `yaml:"systemd"`    // The name of a systemd credential (LoadCredential=), a file in $CREDENTIALS_DIRECTORY.
	AWSSecret string `yaml:"aws_secret"` // ARN of a secret in AWS Secrets Manager.
	IAM       bool   `yaml:"iam"`        // An RDS IAM token, made at every dial.
}

// Providers makes providers for what this package does not know itself; nil where there is none.
type Providers struct {
	AWSSecret func(arn string) (Provider, error)
	IAM       func() (Provider, error)
}

// maxSecretBytes bounds a password file; more is a wrong path, such as a log or a device.
const maxSecretBytes = 64 << 10

// given lists the places that are named, by key.
func (p Password) given() []string {
	var set []string
	for _, place := range []struct {
		key   string
		named bool
	}{{"file", p.File != ""}, {"env", p.Env != ""}, {"systemd", p.Systemd != ""}, {"aws_secret", p.AWSSecret != ""}, {"iam", p.IAM}} {
		if place.named {
			set = append(set, place.key)
		}
	}
	return set
}

// Validate checks that exactly one place is named. Its errors begin with "password".
func (p Password) Validate() error {
	const places = "file, env, systemd, aws_secret, iam"
	switch set := p.given(); {
	case len(set) == 0:
		return errors.New("password: missing; name one of " + places)
	case len(set) > 1:
		return fmt.Errorf("password: %s are set; name exactly one", strings.Join(set, " and "))
	case p.Systemd != "" && p.Systemd != filepath.Base(p.Systemd):
		return errors.New("password.systemd: not the name of a credential; it is the part before the colon in LoadCredential=")
	}
	return nil
}

// Provider makes the provider that p asks for. Where with has none for it, the error is a *change.Fault BS-CONFIG.
func (p Password) Provider(with Providers) (Provider, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	switch {
	case p.File != "":
		return func(context.Context, ...Secret) (Secret, error) { return readSecret(p.File) }, nil
	case p.Env != "":
		return func(context.Context, ...Secret) (Secret, error) { return envSecret(p.Env) }, nil
	case p.Systemd != "":
		return func(context.Context, ...Secret) (Secret, error) { return systemdSecret(p.Systemd) }, nil
	case p.AWSSecret != "" && with.AWSSecret != nil:
		return with.AWSSecret(p.AWSSecret)
	case p.IAM && with.IAM != nil:
		return with.IAM()
	}
	name := "aws_secret"
	if p.IAM {
		name = "iam"
	}
	return nil, &change.Fault{
		Code: "BS-CONFIG", Class: change.ClassConfig, Where: "password." + name,
		What: "this build of binseal cannot ask AWS for a password",
		Next: "use password.file or password.env; password." + name + " comes with AWS support",
	}
}

func envSecret(name string) (Secret, error) {
	value, ok := os.LookupEnv(name)
	if !ok || value == "" {
		return "", secretFault("environment variable "+name, "it is not set or empty", "set it in the daemon's environment, or use password.file")
	}
	return Secret(value), nil
}

// systemdSecret reads a credential that systemd has put into the service's own folder (systemd.exec, "Credentials").
func systemdSecret(name string) (Secret, error) {
	folder := os.Getenv("CREDENTIALS_DIRECTORY")
	if folder == "" {
		return "", secretFault("systemd credential "+name, "CREDENTIALS_DIRECTORY is not set: systemd has given this process no credentials",
			"write LoadCredential="+name+":/path/of/the/file into the unit, or use password.file")
	}
	return readSecret(filepath.Join(folder, name))
}

// readSecret reads a password file. The permissions are looked at on the open file, so that it cannot be swapped
// in between.
func readSecret(path string) (Secret, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", secretFault(path, reasonOf(err), "check the path and that the daemon's user may read the file")
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return "", secretFault(path, reasonOf(err), "check the file")
	}
	if info.Mode().IsRegular() && info.Mode().Perm()&0o007 != 0 {
		return "", &change.Fault{
			Code: "BS-SECRET-PERMISSIONS", Class: change.ClassEnvironment, Where: path,
			What: fmt.Sprintf("the password file is open to every user of the machine (mode %04o)", info.Mode().Perm()),
			Next: "chmod o= the file (for a Kubernetes secret: defaultMode 0400), and change the password if others could read it",
		}
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSecretBytes+1))
	if err != nil {
		return "", secretFault(path, reasonOf(err), "check the file")
	}
	if len(text) > maxSecretBytes {
		return "", secretFault(path, "it is larger than 64 KiB", "name a file that holds only the password")
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if value == "" {
		return "", secretFault(path, "the file is empty", "write the password into it")
	}
	return Secret(value), nil
}

func secretFault(where, what, next string) error {
	return &change.Fault{
		Code: "BS-SECRET", Class: change.ClassEnvironment, Where: where, What: "no password: " + what, Next: next,
	}
}

// reasonOf is the system's reason without the path, which Where has.
func reasonOf(err error) string {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return e.Err.Error()
	}
	return "it cannot be read"
}
