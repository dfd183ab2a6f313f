package awscloud

import (
	"fmt"
	"net"
	"regexp"
	"strings"
)

// Kind is what an endpoint of RDS leads to.
type Kind string

// The kinds.
const (
	ClusterWriter Kind = "cluster"        // Follows the writer.
	ClusterReader Kind = "cluster-reader" // One of the readers.
	CustomGroup   Kind = "custom"         // A custom endpoint: any of a group.
	Instance      Kind = "instance"
	Proxy         Kind = "proxy"
	GlobalWriter  Kind = "global" // Of a global database: the writer of whichever region is the primary.
)

// Host is an endpoint of RDS or Aurora, taken apart.
type Host struct {
	Kind   Kind
	Name   string // The cluster's, instance's or proxy's identifier.
	Region string
	Addr   string // The name without a port.
}

// hostForm: name.[cluster-|cluster-ro-|cluster-custom-|proxy-]id.region.rds.amazonaws.com, with an endpoint of China
// name.….rds.region.amazonaws.com.cn (the Aurora guide, "Aurora endpoint connections"; the guide for China regions).
var hostForm = regexp.MustCompile(`^([a-z0-9-]+)\.(?:endpoint\.)?((?:cluster-ro-|cluster-custom-|cluster-|proxy-)?)([a-z0-9]+)\.(?:([a-z]{2}(?:-[a-z]+)+-\d+)\.rds\.amazonaws\.com(?:\.cn)?|rds\.(cn-[a-z]+-\d+)\.amazonaws\.com\.cn)$`)

// globalForm: name.global-id.global.rds.amazonaws.com (the Aurora guide, "Amazon Aurora Global Database endpoints").
var globalForm = regexp.MustCompile(`^([a-z0-9-]+)\.global-[a-z0-9]+\.global\.rds\.amazonaws\.com$`)

// ParseHost takes host or host:port apart; ok is false for a name that is not of RDS, such as a CNAME of one's own.
func ParseHost(addr string) (h Host, ok bool) {
	host := addr
	if name, _, err := net.SplitHostPort(addr); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if m := globalForm.FindStringSubmatch(host); m != nil {
		return Host{Kind: GlobalWriter, Name: m[1], Addr: host}, true
	}
	m := hostForm.FindStringSubmatch(host)
	if m == nil {
		return Host{}, false
	}
	kinds := map[string]Kind{"": Instance, "cluster-": ClusterWriter, "cluster-ro-": ClusterReader, "cluster-custom-": CustomGroup, "proxy-": Proxy}
	return Host{Kind: kinds[m[2]], Name: m[1], Region: m[4] + m[5], Addr: host}, true
}

// String is "cluster shop in eu-west-1".
func (h Host) String() string { return fmt.Sprintf("%s %s in %s", h.Kind, h.Name, h.Region) }
