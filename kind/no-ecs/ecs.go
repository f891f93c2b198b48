// Package ecs stands in for Traefik's provider of services on Amazon ECS, when Traefik is built from source: the library of EC2 alone
// is a fifth of what is left to compile. The cluster's ingress takes its routes from Knative.
package ecs

import (
	"errors"

	"github.com/traefik/traefik/v3/pkg/config/dynamic"
	"github.com/traefik/traefik/v3/pkg/safe"
)

// Provider is part of Traefik's static configuration.
type Provider struct {
	ExposedByDefault bool `description:"Expose services by default." json:"exposedByDefault,omitempty" toml:"exposedByDefault,omitempty" yaml:"exposedByDefault,omitempty" export:"true"`
}

// SetDefaults has none to set.
func (*Provider) SetDefaults() {}

// Init refuses.
func (*Provider) Init() error {
	return errors.New("this Traefik was built without its provider for Amazon ECS")
}

// Provide is not reached.
func (*Provider) Provide(chan<- dynamic.Message, *safe.Pool) error { return nil }
