module faultline.dev/kind/nsexec

go 1.24
