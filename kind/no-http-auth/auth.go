// Package auth stands in for the library with which Traefik asks for passwords, when Traefik is built from source: its fork
// of that library cannot be fetched from the Go module proxy. Nobody gets in: the cluster's ingress asks for none.
package auth

import "net/http"

// SecretProvider gives the secret of a user.
type SecretProvider func(user, realm string) string

// CheckSecret denies.
func CheckSecret(_, _ string) bool { return false }

// BasicAuth denies.
type BasicAuth struct {
	Realm   string
	Secrets SecretProvider
}

// RequireAuth answers 401.
func (*BasicAuth) RequireAuth(w http.ResponseWriter, _ *http.Request) { deny(w) }

// DigestAuth denies.
type DigestAuth struct{}

// NewDigestAuthenticator makes one that denies.
func NewDigestAuthenticator(string, SecretProvider) *DigestAuth { return &DigestAuth{} }

// CheckAuth finds no user.
func (*DigestAuth) CheckAuth(*http.Request) (username string, authinfo *string) { return "", nil }

// RequireAuth answers 401.
func (*DigestAuth) RequireAuth(w http.ResponseWriter, _ *http.Request) { deny(w) }

// RequireAuthStale answers 401.
func (*DigestAuth) RequireAuthStale(w http.ResponseWriter, _ *http.Request) { deny(w) }

// DigestAuthParams finds none.
func DigestAuthParams(string) map[string]string { return nil }

func deny(w http.ResponseWriter) {
	http.Error(w, "this Traefik was built without authentication", http.StatusUnauthorized)
}
