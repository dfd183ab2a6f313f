package main

import (
	"context"
	"os/signal"
	"syscall"

	"github.com/binseal/binseal/awscloud"
	"github.com/binseal/binseal/change"
	"github.com/binseal/binseal/config"
	"github.com/binseal/binseal/mysqlconn"
	"github.com/binseal/binseal/schema"
	"github.com/binseal/binseal/tlsconf"
)

// legs is a config made ready to connect.
type legs struct {
	source, target *mysqlconn.Endpoint
	filter         *schema.Filter
	routes         *schema.Routes
	rules          *schema.Rules
}

// connectable builds both endpoints and the filter. It opens nothing; a CA file that cannot be read shows here.
func connectable(c *config.Config) (legs, error) {
	for leg, addr := range map[string]string{"source": c.Source.Addr, "target": c.Target.Addr} {
		if err := rightEndpoint(leg, addr); err != nil {
			return legs{}, err
		}
	}
	source, err := endpoint("source", c.Source.Addr, c.Source.User, c.Source.Password, c.Source.TLS)
	if err != nil {
		return legs{}, err
	}
	target, err := endpoint("target", c.Target.Addr, c.Target.User, c.Target.Password, c.Target.TLS)
	if err != nil {
		return legs{}, err
	}
	filter, err := schema.NewFilter(c.Tables)
	if err != nil {
		return legs{}, err
	}
	routes, err := schema.NewRoutes(c.Tables.Rename)
	if err != nil {
		return legs{}, err
	}
	rules, err := schema.NewRules(c.DDL)
	if err != nil {
		return legs{}, err
	}
	return legs{source: source, target: target, filter: filter, routes: routes, rules: rules}, nil
}

// withLegs reads the config and hands both servers to a command that SIGINT and SIGTERM end.
func (a *app) withLegs(do func(context.Context, *config.Config, legs) error) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	c, err := config.Load(a.config)
	if err != nil {
		return err
	}
	l, err := connectable(c)
	if err != nil {
		return err
	}
	return do(ctx, c, l)
}

// rightEndpoint refuses endpoints of RDS that cannot be what the leg needs: readers have no binary log and take no writes,
// and behind a custom endpoint may be any of them; a proxy does not pass the protocol of replicas on, and its server may be
// another at each connection.
func rightEndpoint(leg, addr string) error {
	host, ok := awscloud.ParseHost(addr)
	if !ok {
		return nil
	}
	what := map[awscloud.Kind]string{awscloud.ClusterReader: "the cluster's reader endpoint", awscloud.CustomGroup: "a custom endpoint, behind which may be a reader"}[host.Kind]
	if host.Kind == awscloud.Proxy && leg == "source" {
		what = "an RDS Proxy, which does not serve replicas"
	}
	if what == "" {
		return nil
	}
	return &change.Fault{Code: "BS-ENDPOINT", Class: change.ClassConfig, Where: leg + ".addr", What: addr + " is " + what,
		Next: "use the cluster endpoint, which leads to the writer (….cluster-….rds.amazonaws.com), or the endpoint of the writer instance"}
}

func endpoint(leg, addr, user string, password mysqlconn.Password, tls tlsconf.Config) (*mysqlconn.Endpoint, error) {
	client, err := tlsconf.New(leg, tls)
	if err != nil {
		return nil, &change.Fault{
			Code: "BS-TLS-CONFIG", Class: change.ClassEnvironment, Where: leg + " " + addr, Err: err,
			What: "the TLS files cannot be used", Next: "check the files that " + leg + ".tls names",
		}
	}
	provider, err := password.Provider(fromAWS(addr, user))
	if err != nil {
		return nil, err
	}
	return &mysqlconn.Endpoint{Leg: leg, Addr: addr, User: user, Password: provider, TLS: client}, nil
}
