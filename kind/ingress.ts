/** How Knative's routes are reached from the host. */

/** Value of Knative's `ingress-class` for the ingress of manifests/ingress.yaml. Source: Traefik's Knative provider. */
export const INGRESS_CLASS = 'traefik.ingress.networking.knative.dev';

/** The port of each node at which the web is reached; manifests/ingress.yaml has it too. */
export const INGRESS_NODE_PORT = 30080;
