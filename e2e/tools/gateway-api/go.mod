module pavilion.local/e2e/gateway-api

go 1.26

// For its files: nothing is built of it.
require sigs.k8s.io/gateway-api v1.6.3
