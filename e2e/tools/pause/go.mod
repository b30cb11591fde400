module pavilion.local/e2e/pause

go 1.26.0
