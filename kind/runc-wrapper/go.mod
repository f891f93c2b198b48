module faultline.dev/runc-wrapper

go 1.24
